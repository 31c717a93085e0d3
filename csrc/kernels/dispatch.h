/* The kernels in use. */
#ifndef HR_DISPATCH_H
#define HR_DISPATCH_H

#include "kernels/kernels.h"

/* Never NULL; set by hr_isa_select, scalar until then. */
const hr_kernels *hr_active_kernels(void);

#endif
