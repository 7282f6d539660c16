"""JSON documents as assets, for those too long for a template's property."""

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
    """Create an asset from a JSON document.

    Args:
        scope: The parent construct.
        id: The asset's id in it.
        document: The content.

    Returns:
        The asset. CDK copies the file into the cloud assembly; the temporary original is deleted.

    Source: CDK Developer Guide, "Assets and the AWS CDK".

    Example::

        document_asset(self, "Document", {"schemaVersion": 1.0}).s3_object_url
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "document.json"
        file.write_text(json.dumps(document, indent=1), "utf-8")
        return assets.Asset(scope, id, path=str(file))
