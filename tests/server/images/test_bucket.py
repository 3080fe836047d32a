"""The image store of `gs://...`, against a process with Google's API and a gate that checks signatures."""

import time

import pytest
import requests
from tests.gcs import credentials

from gpugen_client import bucket as uploads
from gpugen_protocol.errors import BodyTooLarge, InvalidImage, Misconfigured, NotFound, Unavailable
from gpugen_server.images import bucket as buckets
from gpugen_server.images import stores
from gpugen_server.images.bucket import Bucket
from gpugen_server.images.signing import Signer
from gpugen_server.images.storage import Slot
from gpugen_server.queue import ids

SLOT = Slot(ids.ulid(), 0, 1)


@pytest.fixture
def bucket(cloud):
    made = cloud.bucket()
    made.prepare()
    return made


def signed_put(upload, data=b"png", **headers):
    return requests.put(upload.url, data=data, headers={**upload.headers, **headers}, timeout=10).status_code


def test_what_is_written_can_be_read_linked_listed_and_removed(cloud, bucket, monkeypatch):
    task = ids.ulid()
    name = bucket.write(task, 0, 1, b"png")
    assert cloud.objects() == [f"prefix/images/{name}"]
    assert bucket.read(name) == b"png"
    assert requests.get(bucket.link(name), timeout=10).content == b"png"
    assert bucket.folders() == [task[:5]]
    assert bucket.settled(task[:5]) == []
    monkeypatch.setattr(buckets, "SETTLED_SECONDS", -60.0)
    assert bucket.settled(task[:5]) == [name]
    bucket.remove([name, name])
    with pytest.raises(NotFound):
        bucket.read(name)


def test_a_worker_puts_an_image_into_quarantine_and_the_server_fetches_it(cloud, bucket):
    uploads.put(bucket.quarantine.upload(SLOT, 1000), b"png")
    assert cloud.objects() == [f"prefix/quarantine/{SLOT.task}-0-1"]
    assert bucket.quarantine.fetch(SLOT, 1000) == b"png"
    bucket.quarantine.discard(SLOT)
    bucket.quarantine.discard(SLOT)
    with pytest.raises(NotFound):
        bucket.quarantine.fetch(SLOT, 1000)


def test_an_upload_is_good_for_one_object_once(bucket):
    upload = bucket.quarantine.upload(SLOT, 1000)
    assert signed_put(upload) == 200
    assert signed_put(upload, b"other") == 412
    uploads.put(upload, b"png")  # to a worker, that is its own first try
    assert bucket.quarantine.fetch(SLOT, 1000) == b"png"


def test_nothing_else_can_be_done_with_the_address_of_an_upload(cloud, bucket):
    upload = bucket.quarantine.upload(SLOT, 1000)
    other = upload.url.replace(f"{SLOT.task}-0-1", f"{SLOT.task}-1-1")
    assert requests.put(other, data=b"png", headers=upload.headers, timeout=10).status_code == 403
    assert requests.get(upload.url, timeout=10).status_code == 403
    assert signed_put(upload, **{"Content-Type": "text/html"}) == 403
    assert signed_put(upload, **{"x-goog-content-length-range": "1,99999999"}) == 403
    assert signed_put(upload, **{"x-goog-acl": "public-read"}) == 403
    assert requests.put(upload.url, data=b"png", timeout=10).status_code == 403
    assert requests.put(upload.url.partition("?")[0], data=b"png", timeout=10).status_code == 403
    assert cloud.objects() == []


def test_more_than_was_agreed_is_refused_by_the_bucket_and_by_the_server(bucket):
    upload = bucket.quarantine.upload(SLOT, 10)
    with pytest.raises(InvalidImage):
        uploads.put(upload, b"x" * 11)
    uploads.put(upload, b"x" * 10)
    with pytest.raises(BodyTooLarge):
        bucket.quarantine.fetch(SLOT, 9)


def test_an_address_that_is_too_old_is_worth_a_fresh_one(bucket, monkeypatch):
    monkeypatch.setattr(buckets, "UPLOAD_SECONDS", 1.0)
    upload = bucket.quarantine.upload(SLOT, 1000)
    now = time.time()
    monkeypatch.setattr("tests.gcs.time.time", lambda: now + 2)
    with pytest.raises(Unavailable):
        uploads.put(upload, b"png")


def test_a_bucket_that_is_away_is_unavailable_and_there_again_with_all_it_had(cloud, bucket):
    name = bucket.write(ids.ulid(), 0, 1, b"png")
    cloud.go_away()
    for work in (
        lambda: bucket.write(ids.ulid(), 0, 1, b"png"),
        lambda: bucket.read(name),
        bucket.check,
        bucket.folders,
        lambda: bucket.quarantine.fetch(SLOT, 10),
        lambda: uploads.put(bucket.quarantine.upload(SLOT, 10), b"x"),
    ):
        with pytest.raises(Unavailable):
            work()
    assert bucket.remove([name]) == [name]
    cloud.come_back()
    bucket.check()
    assert bucket.read(name) == b"png"


def test_a_bucket_that_does_not_exist_is_named_at_the_start(cloud):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage as google

    client = google.Client("test", AnonymousCredentials(), client_options={"api_endpoint": cloud.url})
    with pytest.raises(Misconfigured, match="nowhere"):
        Bucket(client, "nowhere").prepare()


def test_without_a_key_there_are_no_signed_addresses(cloud):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage as google

    client = google.Client("test", AnonymousCredentials(), client_options={"api_endpoint": cloud.url})
    plain = Bucket(client, "pictures", signer=Signer.of(client._credentials))
    assert plain.quarantine is None
    assert plain.link(plain.write(ids.ulid(), 0, 1, b"png")) is None
    assert Signer.of(credentials()) is not None


def test_a_url_names_its_store(tmp_path, monkeypatch):
    from gpugen_server.settings import read

    opened = []
    monkeypatch.setattr(stores, "open_bucket", opened.append)
    for url in ("gs://bucket", "gs://bucket/some/prefix", tmp_path.as_uri()):
        stores.open_storage(read({"storage_url": url}, {"GPUGEN_DATA_DIR": str(tmp_path)}))
    assert opened == ["gs://bucket", "gs://bucket/some/prefix"]
