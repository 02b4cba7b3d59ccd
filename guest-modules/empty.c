// SPDX-License-Identifier: GPL-2.0-only
/* Neither init nor exit. */
#include <linux/module.h>

MODULE_DESCRIPTION("Does nothing, not even at first");
MODULE_LICENSE("GPL");
