"""EC2 servers that are locked down by construction and refused at synth when they are not."""
