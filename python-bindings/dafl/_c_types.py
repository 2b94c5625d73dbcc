"""The types of dafl.h that its structures and functions are made of."""

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_int, c_int64, c_void_p

Floats = POINTER(ctypes.c_float)
Labels = POINTER(c_int64)
Handle = c_void_p

EpochFunction = CFUNCTYPE(c_int, c_void_p, c_int64, c_int64, c_double)
TrainStepFunction = CFUNCTYPE(c_int, c_void_p, c_int64, c_int64, c_double)
TeacherForwardFunction = CFUNCTYPE(c_int, c_void_p, c_int64, Floats, Floats, Floats)
TeacherBackwardFunction = CFUNCTYPE(c_int, c_void_p, c_int64, Floats, Floats, Floats, Floats)
TeacherRegularizerFunction = CFUNCTYPE(c_int, c_void_p, c_int64, Floats, POINTER(c_double), Floats)
LogFunction = CFUNCTYPE(None, c_void_p, c_int, c_char_p)
AllReduceFunction = CFUNCTYPE(c_int, c_void_p, Floats, c_int64)
CompressionFunction = CFUNCTYPE(c_int, c_void_p, c_double)
