"""Files in S3: the fleet file, read whole as text."""

from __future__ import annotations

from chalicelib.adapters.aws import Aws
from chalicelib.adapters.errors import Rejected, Unreachable

IAM_ACTIONS = frozenset({"s3:GetObject"})

SOURCE, OPERATION = "S3", "GetObject"


class S3Files:
    """Objects in S3, in whatever bucket the account may read."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def fetch_text(self, bucket: str, key: str) -> str:
        """The object's content.

        Raises:
            Rejected: It is not UTF-8.
            AdapterError: It could not be read.
        """
        answer = self._aws.call("s3", OPERATION, Bucket=bucket, Key=key)
        try:
            content: bytes = answer["Body"].read()
        except OSError as error:
            raise Unreachable(SOURCE, OPERATION, f"s3://{bucket}/{key}: the answer broke off") from error
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise Rejected(SOURCE, OPERATION, f"s3://{bucket}/{key} is not UTF-8 text") from error
