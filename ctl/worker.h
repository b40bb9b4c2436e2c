/* The control process: serves the status socket. It reads regions and sends orders by ring and notice; it may die like
 * any other, its clients connect again. */
#ifndef TANDEM_CTL_WORKER_H
#define TANDEM_CTL_WORKER_H
struct env;
/* the process after fork, until it is stopped; returns its exit code */
int control_main(struct env *e);
#endif
