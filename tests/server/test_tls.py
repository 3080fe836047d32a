"""The server itself speaks HTTPS when it has a certificate."""

import datetime
import ipaddress

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gpugen_protocol.errors import Misconfigured
from gpugen_server.settings import read


@pytest.fixture
def certificate(tmp_path):
    """Paths of a self-signed certificate for 127.0.0.1 and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gpugen test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return str(cert), str(secret)


def test_with_a_certificate_requests_are_encrypted(make_server, certificate):
    cert, key = certificate
    server = make_server(tls_cert=cert, tls_key=key)
    assert server.url.startswith("https://127.0.0.1:")
    assert requests.get(f"{server.url}/healthz", verify=cert, timeout=10).json()["state"] == "ok"
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{server.server.port}/healthz", timeout=10)


def test_a_certificate_that_cannot_be_used_is_named(make_server, certificate):
    cert, _ = certificate
    with pytest.raises(Misconfigured, match=r"cert\.pem"):
        make_server(tls_cert=cert, tls_key=cert)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"tls_cert": "a.pem"}, "and its key"),
        ({"tls_cert": "a.pem", "tls_key": "b.pem", "autoscaler": "local"}, "no loopback address"),
    ],
)
def test_half_of_the_settings_is_refused(tmp_path, flags, words):
    with pytest.raises(Misconfigured, match=words):
        read(flags, {"GPUGEN_DATA_DIR": str(tmp_path)})
