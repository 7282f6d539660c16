#!/bin/sh
# moto takes into a prefix list what EC2 refuses: too many entries, an old version, an entry twice,
# an IPv6 entry among IPv4 ones.
#
# One would expect: the three checks that make the call safe for two writers, or for a quota of a
# security group's rules, are the ones that an emulator has.
# What happens: MaxEntries and AddressFamily are kept and shown, and compared with nothing. A change
# against an old CurrentVersion is made to that old version, so what others added since is gone. An
# entry given again is listed twice instead of having its description replaced.
# Who meets it: code that renews a prefix list of addresses that may log in, tested with moto alone.
#
# Seen with moto 5.2.5, boto3 1.44.5. EC2's own answers are in its API reference:
# ModifyManagedPrefixList.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet boto3==1.44.5 botocore==1.44.5 'moto[ec2]==5.2.5' 2>/dev/null
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=eu-central-1

venv/bin/python - >seen.txt <<'PYTHON'
import boto3
import moto

print("moto", moto.__version__, "boto3", boto3.__version__)
with moto.mock_aws():
    ec2 = boto3.client("ec2")
    made = ec2.create_managed_prefix_list(
        PrefixListName="administrators",
        MaxEntries=1,
        AddressFamily="IPv4",
        Entries=[{"Cidr": "192.0.2.0/28", "Description": "office"}],
    )["PrefixList"]
    for what, cidr in (
        ("beyond MaxEntries", "198.51.100.0/28"),
        ("an old version", "203.0.113.0/28"),
        ("another family", "2001:db8::/48"),
        ("an entry again", "192.0.2.0/28"),
    ):
        after = ec2.modify_managed_prefix_list(
            PrefixListId=made["PrefixListId"],
            CurrentVersion=1,
            AddEntries=[{"Cidr": cidr, "Description": what}],
        )["PrefixList"]
        print(f"{what}: {after['State']}, version {after['Version']}")
    listed = ec2.get_managed_prefix_list_entries(PrefixListId=made["PrefixListId"])["Entries"]
    print(f"{len(listed)} entries of {after['MaxEntries']}:", *(entry["Cidr"] for entry in listed))
PYTHON
cat seen.txt

cat >expected.txt <<'EXPECTED'
moto 5.2.5 boto3 1.44.5
beyond MaxEntries: modify-complete, version 2
an old version: modify-complete, version 3
another family: modify-complete, version 4
an entry again: modify-complete, version 5
2 entries of 1: 192.0.2.0/28 192.0.2.0/28
EXPECTED
cmp seen.txt expected.txt
