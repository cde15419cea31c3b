import pytest

from engine.trust.outbound import Outbound


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080/ocsp", "http://localhost/crl", "http://[::1]:9/stamp"])
def test_addresses_of_this_machine_go_past_the_proxy(address: str) -> None:
    assert Outbound("http://proxy.example:3128", 1.0)._route(address) is None


@pytest.mark.parametrize("address", ["https://tsa.example/", "http://127.0.0.1.example/"])
def test_everything_else_takes_the_proxy_if_there_is_one(address: str) -> None:
    assert Outbound("http://proxy.example:3128", 1.0)._route(address) == "http://proxy.example:3128"
    assert Outbound(None, 1.0)._route(address) is None


async def test_the_session_is_kept_until_it_is_closed_and_opens_again() -> None:
    async with Outbound(None, 1.0) as outbound:
        session = outbound._open()
        assert outbound._open() is session
        await outbound.close()
        assert session.closed
        assert outbound._open() is not session
