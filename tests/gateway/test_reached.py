"""From other machines: by TLS of its own, behind a proxy with TLS, and not without."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from biasloop.errors import ConfigError
from biasloop.service.service import Service
from biasloop.workspace.server_settings import GatewaySettings
from support.gateway import Gateway, gateway_of
from support.ports import free_port

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
PATIENCE = 60
CONFIG = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
        location / {{
            proxy_pass http://127.0.0.1:{inner};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with key.pem and a certificate.pem for localhost."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl; scripts/system-packages installs it")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return folder


@contextmanager
def nginx(folder: Path, inner: int) -> Iterator[int]:
    """nginx with TLS in front of a port; yields its own."""
    port = free_port()
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=port, inner=inner))
    command = [NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]
    with subprocess.Popen(command) as process:
        try:
            for _ in range(PATIENCE * 10):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()


def label_one(gateway: Gateway, certificate: Path) -> None:
    """From the link to a saved answer, by TLS."""
    trusted = ssl.create_default_context(cafile=str(certificate / "certificate.pem"))
    visitor = gateway.visitor(verify=trusted)
    task = visitor.next_task()
    assert task
    origin = {"Origin": gateway.url}
    sent = visitor.http.post(
        f"/api/tasks/{task['id']}/annotations", json={"result": []}, headers=origin
    )
    assert sent.status_code == 201
    (cookie,) = visitor.http.cookies.jar
    assert cookie.secure
    assert cookie.name.startswith("__Host-")
    assert sent.headers["strict-transport-security"]
    visitor.close()


def test_with_certificates(service: Service, certificate: Path) -> None:
    port = free_port()
    settings = {
        "host": "0.0.0.0",
        "port": port,
        "public_url": f"https://localhost:{port}",
        "certificate": str(certificate / "certificate.pem"),
        "key": str(certificate / "key.pem"),
    }
    with gateway_of(service, f"https://localhost:{port}", **settings) as gateway:
        label_one(gateway, certificate)


def test_behind_a_proxy_with_tls(service: Service, certificate: Path) -> None:
    if not Path(NGINX).exists():
        pytest.skip("no nginx; scripts/system-packages installs it")
    inner = free_port()
    with nginx(certificate, inner) as port:
        url = f"https://localhost:{port}"
        with gateway_of(service, url, port=inner, public_url=url) as gateway:
            label_one(gateway, certificate)


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"host": "0.0.0.0"}, "without TLS"),
        ({"public_url": "http://label.example.org"}, "without TLS"),
        ({"host": "0.0.0.0", "public_url": "http://127.0.0.1:8070"}, "without TLS"),
        ({"host": "0.0.0.0", "public_url": "https://label.example.org"}, "127.0.0.1"),
        ({"public_url": "https://label.example.org/label"}, "path"),
        ({"certificate": "a.pem"}, "go together"),
        ({"key": "a.pem"}, "go together"),
        ({"certificate": "/no/a.pem", "key": "/no/b.pem"}, "no file"),
    ],
)
def test_without_tls_it_refuses_and_says_what_to_do(settings: dict[str, str], advice: str) -> None:
    with pytest.raises(ConfigError, match=advice):
        GatewaySettings(**settings).check()


@pytest.mark.parametrize(
    "settings", [{}, {"public_url": "https://label.example.org"}, {"host": "::1"}]
)
def test_what_is_safe_is_accepted(settings: dict[str, str]) -> None:
    GatewaySettings(**settings).check()
