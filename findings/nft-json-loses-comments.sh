#!/bin/sh
# A ruleset that nft writes as JSON and reads back is not the one it was.
#
# One would expect: `nft -j list ruleset` followed by `nft -j -f` gives the same ruleset.
# What happens: the comments of the table, of the set and of the chain are gone, and so is the set's
# `auto-merge`: from then on an overlapping range is an error where it was merged. The rules and
# their comments stay.
# Who meets it: tools that keep rulesets as JSON, or that find their own sets by the comment.
#
# Seen with nftables 1.0.6-2+deb12u2 of Debian 12, amd64. With 1.1.7 only the set's comment is lost.
# It runs in a network namespace of its own, for which it needs root or user namespaces.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 \
    libnftnl11 libmnl0 libjansson4 libxtables12 libedit2 libgmp10 libbsd0 libmd0 libtinfo6 2>/dev/null
for package in *.deb; do
    dpkg-deb -x "$package" .
done

cat >rules.nft <<'RULES'
table inet guard {
    comment "of the table"
    set administrators {
        type ipv4_addr
        flags interval
        auto-merge
        comment "of the set"
        elements = { 192.0.2.0/28 }
    }
    chain input {
        comment "of the chain"
        ip saddr @administrators accept comment "of the rule"
    }
}
RULES
cat >there-and-back.sh <<'SCRIPT'
set -eu
usr/sbin/nft --version >&2
usr/sbin/nft -f rules.nft
usr/sbin/nft list ruleset >before.txt
usr/sbin/nft -j list ruleset >ruleset.json
usr/sbin/nft flush ruleset
usr/sbin/nft -j -f ruleset.json
usr/sbin/nft list ruleset >after.txt
SCRIPT
LD_LIBRARY_PATH=$work/usr/lib/x86_64-linux-gnu:$work/lib/x86_64-linux-gnu \
    unshare --map-root-user --net sh there-and-back.sh
diff before.txt after.txt | grep '^[<>]' | tr -d '\t' >seen.txt
cat seen.txt

cat >expected.txt <<'EXPECTED'
< comment "of the table"
< auto-merge
< comment "of the set"
< comment "of the chain"
EXPECTED
cmp seen.txt expected.txt
