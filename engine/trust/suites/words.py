"""What a person should know about an algorithm that most software does not."""

from __future__ import annotations

from engine.language import Text

_SM2 = Text(
    zh="国密算法 SM2/SM3：许多境外软件不识别，显示“无法验证”不等于签名无效",
    en="Chinese national algorithms SM2 and SM3: much software abroad does not know them; that it cannot check the "
    "signature does not mean that it is invalid",
)


def explain_algorithm(algorithm: str | None) -> Text | None:
    """A sentence about the algorithm of a verdict, such as ``sm2_sm3 / sm3``; None when none is needed."""
    return _SM2 if algorithm is not None and algorithm.startswith("sm2") else None
