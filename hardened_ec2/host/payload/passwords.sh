#!/bin/sh
# What a password has to be, on a server where nobody should need one.

# shellcheck disable=SC2154 # report.sh sets what is not set here

# pam_pwquality where it is installed; a credit above 0, as an image may have it, would take from the
# length. Tools that do not ask PAM (newusers, chpasswd) hash as PAM does; in FIPS mode PAM does not
# use yescrypt, and login.defs stays.
password_rules() {
	[ ! -s /etc/security/pwquality.conf ] || set_lines /etc/security/pwquality.conf 'minlen = 15\nminclass = 4\ndcredit = -1\nlcredit = -1\nocredit = -1\nucredit = -1' || return
	[ ! -s /etc/login.defs ] || ! grep -qs '^password.*pam_unix.*yescrypt' /etc/pam.d/common-password /etc/pam.d/system-auth ||
		set_lines /etc/login.defs 'ENCRYPT_METHOD YESCRYPT'
}
