import torch

# The models of these tests are so small that sharing the work between threads costs more.
torch.set_num_threads(1)
