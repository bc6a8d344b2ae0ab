"""What a training multiplies in."""

import torch


def matrix_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the type of the matrix products that a recipe's `loop.precision` stands for."""
    if precision == "auto":
        return torch.bfloat16 if has_bf16(device) else torch.float32
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def has_bf16(device: torch.device) -> bool:
    """Tell whether the device multiplies bfloat16 matrices faster than float32 ones."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
