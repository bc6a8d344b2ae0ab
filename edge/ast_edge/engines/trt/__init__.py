"""TensorRT: its libraries, engines and their cache, and CUDA."""
