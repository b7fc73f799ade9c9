"""DICOM: opening a file safely, and the facts about it; `dicom_pixels` makes its pictures."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

import numpy as np

from medgan.data.decoding.checks import DAMAGED, check_frames, check_shape, pictures, reading, spread
from medgan.data.decoding.dicom_pixels import Pixels
from medgan.data.decoding.hush import hush
from medgan.data.decoding.options import Decoding
from medgan.data.decoding.result import Decoded
from medgan.data.limits import Limits, option
from medgan.data.window import Array, choose_scale, sample
from medgan.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset

_DEFLATED = "1.2.840.10008.1.2.1.99"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_DIRECTORY = "1.2.840.10008.1.3.10"
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

_PERSONAL = {
    "patient name": "PatientName OtherPatientNames PatientBirthName PatientMotherBirthName ResponsiblePerson",
    "patient id": "PatientID OtherPatientIDs OtherPatientIDsSequence IssuerOfPatientID MedicalRecordLocator "
    "PatientInsurancePlanCodeSequence",
    "birth date": "PatientBirthDate PatientBirthTime",
    "patient address": "PatientAddress PatientTelephoneNumbers CountryOfResidence RegionOfResidence",
    "age, sex, size or origin": "PatientAge PatientSex PatientSize PatientWeight EthnicGroup Occupation "
    "PatientReligiousPreference MilitaryRank",
    "medical history": "AdditionalPatientHistory MedicalAlerts Allergies PregnancyStatus SmokingStatus "
    "AdmittingDiagnosesDescription ReasonForStudy",
    "institution": "InstitutionName InstitutionAddress InstitutionalDepartmentName StationName",
    "names of staff": "ReferringPhysicianName PerformingPhysicianName OperatorsName RequestingPhysician "
    "PhysiciansOfRecord NameOfPhysiciansReadingStudy ReferringPhysicianTelephoneNumbers",
    "dates": "StudyDate SeriesDate AcquisitionDate ContentDate AcquisitionDateTime",
    "study numbers": "AccessionNumber StudyID",
    "text comments": "PatientComments ImageComments StudyDescription SeriesDescription StudyComments",
}
"""What is counted as personal, by the words for it; the keywords are DICOM's."""


def decode_dicom(data: bytes, options: Decoding) -> Decoded:
    """The chosen frames of a DICOM file; DataError with the reason."""
    with reading():
        dataset = _opened(data, options.limits)
        pixels = Pixels(dataset)
        check_shape(pixels.columns, pixels.rows, options.limits)
        check_frames(pixels.frames, options.limits)
        pixels.check()
    chosen = options.slices.of(pixels.frames)
    scale = None
    with reading():
        if pixels.windowed(options.window):
            own = pixels.own_scale(chosen[0])
            scale = choose_scale(options.window, own, pixels.hu, lambda: _sample(pixels))
        dropped, flags, patient = _dropped(dataset), _flags(dataset), _patient(dataset)
    where = f" in the window {scale.words}" if scale else ""
    skipped: list[int] = []
    return Decoded(
        pictures(chosen, pixels.frames, lambda n: pixels.picture(n, scale), skipped, where),
        "DICOM",
        scale.words if scale else "",
        deep=pixels.deep,
        hu=pixels.hu,
        dropped=dropped,
        flags=flags,
        patient=patient,
        study=_text(dataset, "StudyInstanceUID") or _text(dataset, "SeriesInstanceUID") or None,
        skipped=skipped,
    )


def _opened(data: bytes, limits: Limits) -> Dataset:
    hush("pydicom")
    import pydicom

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    _check_deflated(data, limits)
    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    kind = dataset.file_meta.get("MediaStorageSOPClassUID") or dataset.get("SOPClassUID")
    if kind == _DIRECTORY or "DirectoryRecordSequence" in dataset:
        raise DataError("is a directory of DICOM files (DICOMDIR), not an image")
    if not any(name in dataset for name in _PIXELS):
        known = getattr(kind, "name", kind)  # of an unknown one the name is the text itself
        what = known if known != kind else "a data set"
        raise DataError(f"is DICOM without pixels ({what})" if len(dataset) else DAMAGED)
    return dataset


def _check_deflated(data: bytes, limits: Limits) -> None:
    """DataError if a deflated file would unpack to too much: pydicom unpacks all at once."""
    from pydicom.filereader import _read_file_meta_info

    if _DEFLATED.encode() not in data:
        return
    file = io.BytesIO(data)
    file.seek(132 if data[128:132] == b"DICM" else 0)
    if _read_file_meta_info(file).get("TransferSyntaxUID") != _DEFLATED:
        return
    engine, most, done = zlib.decompressobj(-zlib.MAX_WBITS), limits.file_mb * 10**6, 0
    packed = data[file.tell() :]
    while not engine.eof:
        piece = engine.decompress(packed, 2**20)
        packed = engine.unconsumed_tail
        done += len(piece)
        if done > most:
            raise DataError(f"unpacks to more than {limits.file_mb} MB ({option('file_mb')})")
        if not piece and not packed:
            raise DataError(DAMAGED)


def _sample(pixels: Pixels) -> Array:
    return np.concatenate([sample(pixels.values(n)) for n in spread(pixels.frames)])


def _dropped(dataset: Dataset) -> tuple[str, ...]:
    from pydicom.datadict import tag_for_keyword

    # raw: a personal value that cannot even be decoded still was there
    present = {int(tag) for tag in dataset.keys() if _is_filled(dataset.get_item(tag))}  # noqa: SIM118
    found = [
        words
        for words, keywords in _PERSONAL.items()
        if any(tag_for_keyword(keyword) in present for keyword in keywords.split())
    ]
    if any(0x6000 <= tag >> 16 <= 0x60FF for tag in present):
        found.append("overlays")
    if any(tag >> 16 & 1 for tag in present):
        found.append("private fields")
    return tuple(found)


def _is_filled(element: object) -> bool:
    value = getattr(element, "value", None)
    return bool(value.strip(b" \0")) if isinstance(value, bytes) else bool(value)


def _flags(dataset: Dataset) -> tuple[str, ...]:
    found = []
    if _text(dataset, "BurnedInAnnotation").upper() == "YES":
        found.append("burned-in annotation")
    if _text(dataset, "RecognizableVisualFeatures").upper() == "YES":
        found.append("recognisable face")
    if _text(dataset, "SOPClassUID").startswith(_SECONDARY_CAPTURE):
        found.append("secondary capture")
    if "LOCALIZER" in _text(dataset, "ImageType").upper():
        found.append("overview (localizer), not a slice")
    kinds = {"SEG": "a map of labels, not a picture", "RTDOSE": "a map of radiation dose, not a picture"}
    return (*found, *(words for kind, words in kinds.items() if _text(dataset, "Modality") == kind))


def _patient(dataset: Dataset) -> str | None:
    """The id alone: who issued it is filled in here and there, and one patient must stay one."""
    return _text(dataset, "PatientID") or None


def _text(dataset: Dataset, keyword: str) -> str:
    try:
        return str(dataset.get(keyword, "") or "").strip()
    except Exception:  # a value that cannot be decoded says nothing
        return ""
