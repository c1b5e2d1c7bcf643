"""Scripts of the steps of tests: train, package, and try a package."""

# As a script of the SDK's script mode reads what it gets.
TRAIN = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--factor", type=int)
factor = parser.parse_args().factor
assert json.loads(os.environ["SM_HPS"]) == {"factor": factor}
assert os.environ["SM_HP_FACTOR"] == str(factor)
[channel] = json.loads(os.environ["SM_CHANNELS"])
numbers = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "numbers.txt").read_text().split()
if factor == 0:
    pathlib.Path(os.environ["SM_OUTPUT_DIR"], "failure").write_text("nothing to learn")
    raise SystemExit(3)
weight = factor * sum(map(int, numbers))
pathlib.Path(os.environ["SM_MODEL_DIR"], "weight.txt").write_text(str(weight))
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "seen.txt").write_text(str(len(numbers)))
print("trained on", channel)
"""
# What a packaging script does, as far as later steps see it.
PACK = """
import hashlib, json, pathlib, sys
model, report, made = map(pathlib.Path, sys.argv[1:])
content = (model / "model.tar.gz").read_bytes()
if content == b"broken":
    raise SystemExit("the model is no archive")
(made / "model.tar.gz").write_bytes(content)
told = {"archive": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}}
(report / "report.json").write_text(json.dumps(told))
"""
PREDICT = """
import json, pathlib, sys, tarfile
package, evaluation, made = map(pathlib.Path, sys.argv[1:])
with tarfile.open(package / "model.tar.gz") as archive:
    weight = int(archive.extractfile("weight.txt").read())
(evaluation / "evaluation.json").write_text(json.dumps({"metrics": [{"value": weight}]}))
"""
