#!/bin/sh
# `read` in dash and in busybox keeps the first digit of a number in /proc/sys, and says that it
# failed.
#
# One would expect: `read -r value </proc/sys/kernel/pid_max` gives the whole number, as in bash.
# What happens: both shells read a byte at a time, so as not to take what is behind the line. The
# kernel answers the second read of a numeric setting with end of file. A setting that is text
# arrives whole.
# Who meets it: hardening and health-check scripts that compare a sysctl without starting `sysctl` or
# `cat`; a setting of one digit, as most switches are, hides it.
#
# Seen with dash 0.5.12-2, busybox 1:1.35.0-4+deb12u1+b1 and bash of Debian 12, amd64.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq dash=0.5.12-2 busybox=1:1.35.0-4+deb12u1+b1 2>/dev/null
for package in *.deb; do
    dpkg-deb -x "$package" .
done

cat >read.sh <<'SCRIPT'
status=0
read -r number </proc/sys/kernel/pid_max || status=$?
read -r text </proc/sys/kernel/ostype
echo "${#number} digit(s), status $status, $text"
SCRIPT
digits=$(tr -d '\n' </proc/sys/kernel/pid_max | wc -c)
{
    echo "dash: $(bin/dash read.sh)"
    echo "busybox: $(bin/busybox sh read.sh)"
    echo "bash: $(bash read.sh)"
} >seen.txt
cat seen.txt

cat >expected.txt <<EXPECTED
dash: 1 digit(s), status 1, Linux
busybox: 1 digit(s), status 1, Linux
bash: $digits digit(s), status 0, Linux
EXPECTED
cmp seen.txt expected.txt
