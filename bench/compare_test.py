#!/usr/bin/env python3
"""Tests of compare.py and compare_curves.py on results made by hand. Needs nothing but Python."""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

COMPARE = Path(__file__).resolve().parent / "compare.py"
CURVES = COMPARE.with_name("compare_curves.py")


def glimpse_row(kernel, sizes, dtype, us):
    return dict(kernel=kernel, sizes=sizes, dtype=dtype, us=us, gb_per_s=100.0, tflop_per_s=0.5, share_of_roofline=0.8)


class Compare(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.glimpse = dict(what="kernels", source="Glimpse", device="some GPU", copy_gb_per_s=125.0, f32_tflop_per_s=1.0,
                            launch_us=2.0, launch_us_in_graph=1.0, rotated_mb=200.0, rows=[
                                glimpse_row("softmax_forward", {"rows": 8, "n": 196}, "f32", {"calls": 4.0, "graph": 2.0}),
                                glimpse_row("softmax_forward", {"rows": 8, "n": 196}, "bf16", {"calls": 3.0}),
                                glimpse_row("tanh", {"n": 10}, "f32", {"calls": 1.0})])
        self.torch = dict(what="kernels", source="PyTorch 0", device="some GPU", rows=[
            dict(kernel="softmax_forward", sizes={"n": 196, "rows": 8}, dtype="f32", us={"eager": 9.0, "graph": 5.0}),
            dict(kernel="tanh", sizes={"n": 10}, dtype="f32", us={})])

    def tearDown(self):
        self.folder.cleanup()

    def run_compare(self, *more):
        files = []
        for name, content in (("glimpse.json", self.glimpse), ("torch.json", self.torch)):
            files.append(str(Path(self.folder.name) / name))
            Path(files[-1]).write_text(content if isinstance(content, str) else json.dumps(content))
        return subprocess.run([sys.executable, str(COMPARE), *files, *more], capture_output=True, text=True)

    def rows(self, text):
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
                if line.startswith("|")][2:]

    def test_the_best_way_of_each_side_counts(self):
        done = self.run_compare()
        self.assertEqual(done.returncode, 0, done.stderr)
        row = self.rows(done.stdout)[0]
        self.assertEqual(row[:4], ["softmax_forward", "rows=8 n=196", "f32", "2.00"])
        self.assertEqual(row[-2:], ["5.00 (graph)", "2.50"])

    def test_rows_without_a_counterpart_stay(self):
        rows = self.rows(self.run_compare().stdout)
        self.assertEqual([row[0] for row in rows], ["softmax_forward", "softmax_forward", "tanh"])
        self.assertEqual([row[-2:] for row in rows[1:]], [["", ""]] * 2)

    def test_different_devices_are_refused(self):
        self.torch["device"] = "another GPU"
        done = self.run_compare()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("another GPU", done.stderr)

    def test_another_file_is_refused_by_name(self):
        self.torch = '{"what": "kernels", "rows": [{"ker'
        done = self.run_compare()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("torch.json", done.stderr)

    def test_out_writes_the_table(self):
        target = Path(self.folder.name) / "table.md"
        self.assertEqual(self.run_compare("--out", str(target)).stdout, "")
        self.assertEqual(len(self.rows(target.read_text())), 3)


class Curves(unittest.TestCase):
    def compare(self, first, second):
        """Runs with these losses, the epoch's own line at the end of each."""
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, losses in enumerate((first, second)):
                files.append(str(Path(folder) / f"{number}.jsonl"))
                lines = [json.dumps(dict(step=i + 1, epoch=1, loss=loss)) for i, loss in enumerate(losses)]
                Path(files[-1]).write_text("\n".join([*lines, '{"epoch": 1, "val_loss": 3}']) + "\n")
            return subprocess.run([sys.executable, str(CURVES), *files, "--steps", "3"], capture_output=True, text=True)

    def test_equal_curves(self):
        self.assertEqual(self.compare([5, 4, 3], [5, 4.001, 3]).returncode, 0)

    def test_a_difference_and_a_nan_are_told(self):
        done = self.compare([5, 4, 3], [5, 4, 3.1])
        self.assertEqual(done.returncode, 1)
        self.assertIn("at step 3", done.stdout)
        self.assertEqual(self.compare([5, 4, 3], [5, float("nan"), 3]).returncode, 1)

    def test_a_short_run_is_no_proof(self):
        done = self.compare([5, 4, 3], [5, 4])
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no loss of step 3", done.stderr)


if __name__ == "__main__":
    unittest.main()
