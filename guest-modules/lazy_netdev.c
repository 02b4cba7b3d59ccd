// SPDX-License-Identifier: GPL-2.0-only
/* The network interface modrig0: loaded by who asks for that interface and may administer the network. */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/netdevice.h>

static const struct net_device_ops lazy_netdev_operations = { };

static struct net_device *device;

static void lazy_netdev_setup(struct net_device *device)
{
	device->netdev_ops = &lazy_netdev_operations;
	device->mtu = 1500;
}

static int __init lazy_netdev_init(void)
{
	int ret;

	pr_info("lazy_netdev: init\n");
	device = alloc_netdev(0, "modrig0", NET_NAME_UNKNOWN, lazy_netdev_setup);
	if (!device)
		return -ENOMEM;
	ret = register_netdev(device);
	if (ret)
		free_netdev(device);
	return ret;
}

static void __exit lazy_netdev_exit(void)
{
	unregister_netdev(device);
	free_netdev(device);
}

module_init(lazy_netdev_init);
module_exit(lazy_netdev_exit);
MODULE_ALIAS("netdev-modrig0");
MODULE_DESCRIPTION("A network interface");
MODULE_LICENSE("GPL");
