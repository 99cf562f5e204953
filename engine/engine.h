#pragma once
// Everything that a user of the engine needs: tensors, differentiation, operations, layers, optimisers, files.

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/gradcheck.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/npy.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/engine/io/torch_file.h"
#include "glimpse/engine/layers.h"
#include "glimpse/engine/memory.h"
#include "glimpse/engine/module.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/optimizer.h"
#include "glimpse/engine/random.h"
#include "glimpse/engine/schedule.h"
#include "glimpse/engine/tensor.h"
#include "glimpse/kernels/base/error.h"
