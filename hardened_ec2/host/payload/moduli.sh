#!/bin/sh
# Groups for Diffie-Hellman exchange of at least 3071 bits.

# Only where sshd offers the exchange. Elsewhere a change would bring nothing, and hold up updates of
# the package, which on Debian ask about a file of theirs that was changed. Before the host keys are
# made sshd does not say; the run at the end of the boot asks again.
sshd_moduli() {
	sshd -T 2>/dev/null | grep -q '^kexalgorithms .*group-exchange' || skip 'no group exchange'
	groups=$(awk '/^#/ || $5 >= 3071' /etc/ssh/moduli)
	echo "$groups" | grep -q '^[0-9]' || fail 'no large group, left as found'
	put_text /etc/ssh/moduli 644 "$groups"
}
