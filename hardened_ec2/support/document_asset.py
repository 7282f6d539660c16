"""Documents that are too long for a property of a template, as assets."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import aws_s3_assets as assets
from constructs import Construct


def document_asset(
    scope: Construct,
    id: str,  # noqa: A002 - CDK's own name for it
    document: Mapping[str, Any],
) -> assets.Asset:
    """Make a JSON file that CDK uploads at deployment, named by what is in it.

    Args:
        scope: The construct to make it in.
        id: The asset's id there.
        document: The content.

    Returns:
        The asset. CDK keeps a copy in the cloud assembly, so nothing is left elsewhere.

    Source: CDK Developer Guide, "Assets and the AWS CDK".

    Example::

        document_asset(self, "Document", {"schemaVersion": 1.0}).s3_object_url
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "document.json"
        file.write_text(json.dumps(document, indent=1), "utf-8")
        return assets.Asset(scope, id, path=str(file))
