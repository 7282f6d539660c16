#!/bin/sh
# cdk-from-cfn, the engine of "cdk migrate", changes the text of user data in the Python code that it
# writes.
#
# One would expect: the code renders the text that the template has.
# What happens: a text of several lines becomes a Python string of several lines, indented like the
# code, so every line but the first gets spaces in front: the line that ends a here-document no
# longer ends it. Backslashes stay as they are in a string that is not raw, so `\n` becomes a line
# break. A plain text in Fn::Base64 is taken for base64, decoded, and refused as invalid.
# Who meets it: whoever migrates a stack with servers to CDK. The instance is replaced, or restarted,
# with another script than the one that was tested.
#
# Seen with cdk-from-cfn 0.334.0.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" cdk-from-cfn@0.334.0 >/dev/null 2>&1

cat >migrate.js <<'JAVASCRIPT'
const { transmute } = require("cdk-from-cfn");
const { writeFileSync } = require("fs");
const script = "#!/bin/sh\nprintf '%s\\n' one\ncat >/etc/motd <<END\nWelcome\nEND\n";
const template = (text) => JSON.stringify({
  Resources: {
    Server: {
      Type: "AWS::EC2::Instance",
      Properties: { ImageId: "ami-12345678", UserData: { "Fn::Base64": text } },
    },
  },
});
console.log("cdk-from-cfn", require("cdk-from-cfn/package.json").version);
writeFileSync("stack.py", transmute(template({ "Fn::Sub": script }), "python", "Demo", "stack"));
try {
  transmute(template(script), "python", "Demo", "stack");
  console.log("plain text: taken");
} catch (error) {
  console.log("plain text:", String(error).split('"')[0].trim());
}
JAVASCRIPT
node migrate.js >seen.txt

python3 - >>seen.txt <<'PYTHON'
import ast

for call in ast.walk(ast.parse(open("stack.py").read())):
    if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("Fn.base64"):
        text = eval(compile(ast.Expression(call.args[0]), "stack.py", "eval"))
        print(*map(repr, text.splitlines()), sep="\n")
PYTHON
cat seen.txt

cat >expected.txt <<'EXPECTED'
cdk-from-cfn 0.334.0
plain text: Error: Invalid base64
'#!/bin/sh'
"          printf '%s"
"' one"
'          cat >/etc/motd <<END'
'          Welcome'
'          END'
'          '
EXPECTED
cmp seen.txt expected.txt
