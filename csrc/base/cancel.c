/* Setting and reading a flag from different threads. */
#include "base/cancel.h"

#include "base/compiler.h"
#include "hashret.h"

void hr_cancel(int *flag) { HR_STORE(flag, 1); }

bool hr_cancelled(const int *cancel) { return cancel && HR_LOAD(cancel); }
