// SPDX-License-Identifier: GPL-2.0-only
/* Parameters of every type that a module can declare; those with a mode are seen in sysfs. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

static int i;
module_param(i, int, 0644);
static unsigned int u;
module_param(u, uint, 0644);
static unsigned char by;
module_param(by, byte, 0644);
static short sh;
module_param(sh, short, 0644);
static unsigned long ul;
module_param(ul, ulong, 0644);
static unsigned long long ull;
module_param(ull, ullong, 0644);
static unsigned int hx;
module_param(hx, hexint, 0644);
static bool b;
module_param(b, bool, 0644);
static bool ib;
module_param(ib, invbool, 0644);
static char *s = "default";
module_param(s, charp, 0644);

static int arr[4];
static unsigned int arr_count;
module_param_array(arr, int, &arr_count, 0644);

static bool bools[2];
module_param_array(bools, bool, NULL, 0644);

static char str[8];
module_param_string(str, str, sizeof(str), 0644);

static int under_score;
module_param(under_score, int, 0644);

/* Not writable, and not seen at all. */
static int readonly = 1;
module_param(readonly, int, 0444);
static int hidden = 1;
module_param(hidden, int, 0);
MODULE_PARM_DESC(hidden, "has no file in sysfs");

static int __init params_init(void)
{
	pr_info("params: init\n");
	return 0;
}

static void __exit params_exit(void)
{
	pr_info("params: exit\n");
}

module_init(params_init);
module_exit(params_exit);
MODULE_DESCRIPTION("Parameters of every type");
MODULE_LICENSE("GPL");
