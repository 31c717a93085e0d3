/* What each status means, in words. */
#include "hashret.h"

const char *hr_status_text(hr_status status) {
  switch (status) {
    case HR_OK: return "ok";
    case HR_NO_MEMORY: return "out of memory";
    case HR_BAD_ISA: return "unknown or unsupported instruction set";
    case HR_REPEATED_ID: return "repeated id";
    case HR_UNKNOWN_ID: return "unknown id";
    case HR_TOO_MANY_ROWS: return "too many rows";
    case HR_BAD_FORMAT: return "not a valid index file";
    case HR_BAD_MASK: return "mask of the wrong length";
    case HR_CANCELLED: return "cancelled";
    case HR_NOT_READY: return "not ready to be searched";
    case HR_WANTED: return "wanted by a thread that changes it";
    case HR_NO_IDS: return "none are left after";
    case HR_STATUS_COUNT: break;
  }
  return "unknown status";
}
