"""Files come in: what other systems exported becomes submissions and interactions of the store.

In the order a row travels: ``readers`` turn files into rows, ``mapping`` gives their columns our names,
``validation`` says what is wrong with a row, ``importing`` stores the good ones and writes the others to a
rejects file (``rejects``), ``verifying`` checks what was stored and decides it in a reviewer's name.

A bad row never stops an import and never gets in; an import that was interrupted is simply run again.
"""

from feedback_pipeline.intake.importing import import_corrections, import_interactions
from feedback_pipeline.intake.mapping import ColumnMapping, MappingError
from feedback_pipeline.intake.readers import InputFileError
from feedback_pipeline.intake.report import FileReport, ImportReport

__all__ = [
    "ColumnMapping",
    "FileReport",
    "ImportReport",
    "InputFileError",
    "MappingError",
    "import_corrections",
    "import_interactions",
]
