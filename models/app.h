/* A container that the model knows nothing of: it runs, passes its probes and stops when told. */
#pragma once

#include "models/machine.h"

Machine *app_new(const ProcessInfo *info);
