"""What each value of a deployment can be: intrinsic functions, parameters and conditions."""
