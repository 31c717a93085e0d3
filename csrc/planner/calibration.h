/* What searching costs on this machine, measured with the index's own codes. */
#ifndef HR_CALIBRATION_H
#define HR_CALIBRATION_H

#include "mih/cost.h"
#include "mih/mih.h"

/* mih = NULL: there are no tables. Takes about a millisecond; `costs` are unchanged on failure. */
hr_status hr_calibrate(const hr_postings *postings, const hr_mih *mih, hr_costs *costs);

#endif
