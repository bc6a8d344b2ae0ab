import os

import torch
from threadpoolctl import threadpool_limits

# The models of these tests are so small that sharing the work between threads costs more; and a
# product of matrices is rounded by the number of threads, here and in the processes that are begun.
torch.set_num_threads(1)
threadpool_limits(1)
os.environ["OMP_NUM_THREADS"] = "1"
