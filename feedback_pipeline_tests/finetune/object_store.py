"""An object store that speaks S3, on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import s3fs
from moto.server import ThreadedMotoServer

BUCKET = "s3://trained"


@contextmanager
def object_store() -> Iterator[str]:
    """Run an empty object store with the bucket BUCKET; point s3fs and botocore at it, and yield its address."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        # A filesystem of an earlier store would be handed out again, with its address.
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir(BUCKET)
        try:
            yield f"http://{host}:{port}"
        finally:
            s3fs.S3FileSystem.clear_instance_cache()
            httpx.post(f"http://{host}:{port}/moto-api/reset").raise_for_status()
            server.stop()


def upload(folder: Path, url: str) -> None:
    """Copy all files below a folder to below a URL."""
    s3fs.S3FileSystem().put(f"{folder}/", url, recursive=True)
