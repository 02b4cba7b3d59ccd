// SPDX-License-Identifier: GPL-2.0-only
/* Sockets of a family that nobody else has (the number of NetBEUI, which Linux never had): loaded by socket(2). */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/net.h>
#include <net/sock.h>

static int lazy_socket_release(struct socket *socket)
{
	return 0;
}

static const struct proto_ops lazy_socket_operations = {
	.family = PF_NETBEUI,
	.owner = THIS_MODULE,
	.release = lazy_socket_release,
};

static int lazy_socket_create(struct net *net, struct socket *socket, int protocol, int kern)
{
	socket->ops = &lazy_socket_operations;
	return 0;
}

static const struct net_proto_family lazy_socket_family = {
	.family = PF_NETBEUI,
	.owner = THIS_MODULE,
	.create = lazy_socket_create,
};

static int __init lazy_socket_init(void)
{
	pr_info("lazy_socket: init\n");
	return sock_register(&lazy_socket_family);
}

static void __exit lazy_socket_exit(void)
{
	sock_unregister(PF_NETBEUI);
}

module_init(lazy_socket_init);
module_exit(lazy_socket_exit);
MODULE_ALIAS_NETPROTO(PF_NETBEUI);
MODULE_DESCRIPTION("Sockets that do nothing");
MODULE_LICENSE("GPL");
