"""The settings about HTTP; `Settings` has them beside its own."""

from pydantic import BaseModel, Field

from settings.fields import Networks


class HttpSettings(BaseModel):
    """Where the web application listens, which proxies it trusts, and how many calls it takes."""

    http_host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address the web application listens on; 0.0.0.0 behind a proxy or in a container",
    )
    http_port: int = Field(8000, ge=0, le=65535, description="port the web application listens on")
    http_connections: int = Field(
        900, ge=1, description="connections a web process holds at most; beyond it answers 503"
    )
    calls_per_minute: int = Field(
        12_000, ge=0, description="API calls a minute of a token of the retailer; 0: no limit"
    )
    partner_calls_per_minute: int = Field(
        3_000, ge=0, description="API calls a minute of a token of a partner; 0: no limit"
    )
    trusted_proxies: Networks = Field(
        "",
        description="addresses or networks, comma-separated, whose X-Forwarded-For and -Proto are believed",
    )
