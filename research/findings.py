"""Writes FINDINGS.md beside this file, out of the pages and reports of the studies.

python research/findings.py
"""

from __future__ import annotations

from pathlib import Path

from bionet.studies.report.findings import write_findings

if __name__ == "__main__":
    print(f"Written: {write_findings(Path(__file__).parent).name}")
