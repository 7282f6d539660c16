"""Local trial of the reference app: synthesize, judge, deploy to an emulator, read back."""
