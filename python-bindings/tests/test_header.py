"""The ctypes declarations say what include/dafl.h says."""

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import dafl
from dafl import _library, errors
from dafl.teacher import ANSWERS

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "include" / "dafl.h"

STRUCTURES = {
    "dafl_network_info": _library.NetworkInfo,
    "dafl_tensor": _library.Tensor,
    "dafl_train_options": _library.TrainOptions,
    "dafl_teacher": _library.Teacher,
    "dafl_progress": _library.Progress,
    "dafl_load_options": _library.LoadOptions, "dafl_compression_options": _library.CompressionOptions,
    "dafl_distillation_options": _library.DistillationOptions,
}

TYPES = {
    "void": None, "dafl_status": ctypes.c_int, "int": ctypes.c_int, "const char *": ctypes.c_char_p,
    "const char **": ctypes.POINTER(ctypes.c_char_p),
    "void *": ctypes.c_void_p, "const void *": ctypes.c_void_p, "const dafl_network *": ctypes.c_void_p,
    "size_t": ctypes.c_size_t, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64,
    "double": ctypes.c_double, "double *": ctypes.POINTER(ctypes.c_double), "const float *": _library.Floats,
    "float *": _library.Floats, "const int64_t *": _library.Labels, "int64_t *": _library.Labels,
    "dafl_network *": _library.Handle,
    "dafl_distillation *": _library.Handle, "dafl_network **": ctypes.POINTER(_library.Handle),
    "dafl_distillation **": ctypes.POINTER(_library.Handle), "dafl_epoch_fn": _library.EpochFunction,
    "dafl_train_step_fn": _library.TrainStepFunction, "dafl_compression_fn": _library.CompressionFunction,
    "dafl_progress_fn": _library.ProgressFunction, "dafl_log_fn": _library.LogFunction,
    "dafl_teacher_forward_fn": _library.TeacherForwardFunction, "dafl_teacher_backward_fn": _library.TeacherBackwardFunction,
    "dafl_all_reduce_fn": _library.AllReduceFunction,
    "dafl_teacher_regularizer_fn": _library.TeacherRegularizerFunction,
}
for c_name, structure in STRUCTURES.items():
    TYPES[f"{c_name} *"] = TYPES[f"const {c_name} *"] = ctypes.POINTER(structure)


def header_code() -> str:
    text = re.sub(r"/\*.*?\*/", " ", HEADER.read_text(), flags=re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def parameter_types(text: str) -> list[type | None]:
    names = [re.sub(r"\s+", " ", re.sub(r"\w+$", "", part.strip())).strip() for part in text.split(",")]
    return [] if text.strip() in ("", "void") else [TYPES[name] for name in names]


def test_structures_have_the_layout_of_the_header(tmp_path):
    expected, lines = [], []
    for c_name, structure in STRUCTURES.items():
        expected.append(f"{c_name} {ctypes.sizeof(structure)}")
        lines.append(f'printf("{c_name} %zu\\n", sizeof({c_name}));')
        for field, _ in structure._fields_:
            described = getattr(structure, field)
            expected.append(f"{c_name}.{field} {described.offset} {described.size}")
            lines.append(f'printf("{c_name}.{field} %zu %zu\\n", offsetof({c_name}, {field}), '
                         f'sizeof((({c_name} *)0)->{field}));')
    source = tmp_path / "layout.c"
    source.write_text('#include <stdio.h>\n#include "dafl.h"\nint main(void) {\n' + "\n".join(lines) + "\nreturn 0; }\n")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "a C compiler is needed to read the header"
    subprocess.run([compiler, "-I", str(HEADER.parent), str(source), "-o", str(tmp_path / "layout")], check=True)
    printed = subprocess.run([tmp_path / "layout"], check=True, capture_output=True, text=True).stdout
    assert printed.splitlines() == expected


def test_structures_have_the_fields_of_the_header():
    for c_name, structure in STRUCTURES.items():
        body = re.search(rf"typedef struct {c_name} {{(.*?)}} {c_name};", header_code(), re.DOTALL)[1]
        assert re.findall(r"(\w+)(?:\[\d+\])?;", body) == [field for field, _ in structure._fields_], c_name


def test_functions_have_the_prototypes_of_the_header():
    found = {name: (TYPES[result.strip()], parameter_types(parameters)) for result, name, parameters
             in re.findall(r"^([a-z][\w ]*?[ *]+)(dafl_\w+)\(([^()]*)\);", header_code(), re.MULTILINE)}
    assert found == _library.PROTOTYPES


def test_callbacks_have_the_types_of_the_header():
    for result, name, parameters in re.findall(r"typedef (\w+) \(\*(dafl_\w+)\)\(([^()]*)\);", header_code()):
        assert (TYPES[name]._restype_, list(TYPES[name]._argtypes_)) == (TYPES[result], parameter_types(parameters)), name


def test_status_numbers_are_those_of_the_header():
    statuses = re.search(r"enum \{(.*?)\}", header_code(), re.DOTALL)[1]
    found = re.findall(r"DAFL_(?:ERROR_)?(\w+) = (-?\d+)", statuses)
    assert len(found) == 12
    for name, number in found:
        assert getattr(errors, name) == int(number)


def test_answers_are_numbered_as_in_the_header():
    found = re.findall(r"DAFL_ANSWERS_(\w+) = (\d)", header_code())
    assert [name.lower() for name, _ in found] == list(ANSWERS) and [int(number) for _, number in found] == [0, 1, 2, 3]


def test_versions_agree():
    assert dafl.__version__ == (ROOT / "VERSION").read_text().strip()
    assert _library.library.dafl_version().decode() == dafl.__version__
