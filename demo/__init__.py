"""The main job on this machine: synthesize, judge, deploy to a local emulator, read back."""
