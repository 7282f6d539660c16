"""The lab: boots the synthesized user data on an emulated EC2 instance and attacks it.

Rooms, each standing on those before it:

- `commands`, `paths`, `cache`, `requirements`: programs, folders and packages of this machine.
- `template`: the synthesized reference app, as user data and security group rules.
- `machines`: disk images, QEMU, the network and the metadata service.
- `inside`: programs that are copied into a guest and run there; they import nothing of the lab.
- `probes`: what clients see of a server, and what it says of itself.
- `proof`: one server's proof, and faults.
- `report`: the results, an HTML report and docs/FIGURES.md.
- `scanners`: Lynis and OpenSCAP, their waivers and docs/SCANNERS.md.

The lab needs root and Debian's own tools. It changes only its cache, ``build/lab`` and namespaces
of its own.
"""
