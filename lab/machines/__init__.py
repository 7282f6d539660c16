"""The machines: disk images, an emulated EC2 instance, its network and its metadata service."""
