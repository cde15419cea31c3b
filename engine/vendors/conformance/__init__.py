"""Kit that shows whether a provider keeps its contract (符合性检查); vendors run it from their own tests or by command.

In a vendor's tests::

    @pytest.mark.parametrize("case", storage_cases, ids=str)
    async def test_contract(case, tmp_path):
        await case.run(MyStorage(...), Bench(workspace=tmp_path))
"""

from engine.vendors.conformance.bench import Bench, Case, NotApplicable, Violation
from engine.vendors.conformance.certificates import certificate_cases
from engine.vendors.conformance.face import face_cases
from engine.vendors.conformance.ocr import ocr_cases
from engine.vendors.conformance.report import Finding, Verdict, check, examine
from engine.vendors.conformance.sms import sms_cases
from engine.vendors.conformance.storage import storage_cases

__all__ = [
    "Bench",
    "Case",
    "Finding",
    "NotApplicable",
    "Verdict",
    "Violation",
    "certificate_cases",
    "check",
    "examine",
    "face_cases",
    "ocr_cases",
    "sms_cases",
    "storage_cases",
]
