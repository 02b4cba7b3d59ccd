// SPDX-License-Identifier: GPL-2.0-only
/* Exports a symbol, and takes its time in init and exit; init then returns what it is told. */
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>

static unsigned int init_ms;
module_param(init_ms, uint, 0444);
static unsigned int exit_ms;
module_param(exit_ms, uint, 0444);
static int result;
module_param(result, int, 0444);

int slow_exporter_value(void);
int slow_exporter_value(void)
{
	return 1;
}
EXPORT_SYMBOL_GPL(slow_exporter_value);

static int __init slow_exporter_init(void)
{
	msleep(init_ms);
	pr_info("slow_exporter: init\n");
	return result;
}

static void __exit slow_exporter_exit(void)
{
	msleep(exit_ms);
}

module_init(slow_exporter_init);
module_exit(slow_exporter_exit);
MODULE_DESCRIPTION("Exports a symbol, slowly");
MODULE_LICENSE("GPL");
