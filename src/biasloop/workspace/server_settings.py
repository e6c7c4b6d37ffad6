"""The settings of Label Studio, of the page and of the gateway."""

from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field

from biasloop.errors import ConfigError
from biasloop.workspace.address import Address
from biasloop.workspace.section import Section


class LabelStudioSettings(Section):
    """The Label Studio server on which annotators work."""

    url: Address = Field("", description="A Label Studio server; empty: biasloop starts its own.")
    port: int = Field(8080, ge=1, le=65535, description="Port of the embedded server.")
    email: str = Field("admin@biasloop.local", description="Administrator of the embedded server.")
    venv: str = Field(
        "", description="Virtual environment of the embedded server; empty: next to biasloop's."
    )
    timeout_seconds: float = Field(60, gt=0, description="Maximum time for one answer.")


class WebSettings(Section):
    """The web page."""

    host: str = Field("127.0.0.1", description="Address that it listens on.")
    port: int = Field(8090, ge=1, le=65535, description="Port that it listens on.")
    names: tuple[str, ...] = Field(
        (),
        description="Host names, besides localhost and this machine's, under which the page is "
        "reached, such as that of a proxy in front of it; any other is refused.",
    )


class GatewaySettings(Section):
    """The gateway through which annotators reach Label Studio."""

    host: str = Field("127.0.0.1", description="Address that it listens on.")
    port: int = Field(8070, ge=1, le=65535, description="Port that it listens on.")
    public_url: Address = Field(
        "",
        description="Where annotators reach it, as https://label.example.org; empty: only from "
        "this machine.",
    )
    certificate: str = Field(
        "", description="PEM file with its certificate; empty: a proxy in front of it has one."
    )
    key: str = Field("", description="PEM file with the key of the certificate.")
    link_days: float = Field(
        30, gt=0, le=3650, description="Days for which a personal link is valid."
    )
    with_serve: bool = Field(
        False, description="Whether `serve` starts it too, in front of your own Label Studio."
    )

    @property
    def address(self) -> str:
        """The URL under which annotators reach it, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url.rstrip("/") or f"http://{host}:{self.port}"

    @property
    def is_secure(self) -> bool:
        """Whether annotators reach it by TLS."""
        return urlsplit(self.address).scheme == "https"

    def check(self) -> None:
        """Raises ConfigError when others could read what annotators send, or certificate files are
        missing."""
        if bool(self.certificate) != bool(self.key):
            raise ConfigError(
                "gateway.certificate and gateway.key go together; set both, or neither and a "
                "proxy with TLS in front of the gateway"
            )
        for name, file in (("certificate", self.certificate), ("key", self.key)):
            if file and not Path(file).is_file():
                raise ConfigError(f"gateway.{name}: there is no file {file!r}; correct the path")
        if self.certificate and not self.is_secure:
            raise ConfigError(
                "gateway.certificate is set, so gateway.public_url must begin with https://; set "
                "it to the address under which annotators reach the gateway"
            )
        parts = urlsplit(self.public_url)
        if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
            raise ConfigError(
                "gateway.public_url must not have more than host and port, as no path; give the "
                "gateway a host name of its own"
            )
        if not self.certificate and not (
            is_loopback(self.host) and (self.is_secure or self._is_for_this_machine)
        ):
            raise ConfigError(
                f"the gateway at {self.host}:{self.port} ({self.address}) would be reached "
                "without TLS, so that others could read links and annotations; leave gateway.host "
                "at 127.0.0.1, put a proxy with TLS on this machine in front of it and set "
                'gateway.public_url = "https://…", or set gateway.certificate and gateway.key '
                "(docs/gateway.md)"
            )

    @property
    def _is_for_this_machine(self) -> bool:
        return is_loopback(urlsplit(self.address).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine under an address that no other one can reach."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
