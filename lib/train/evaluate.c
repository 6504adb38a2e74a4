/* Loss of a model on sequences of a task, batch by batch: memory does not grow with their number.
 * See batch.h. */
#include "train/batch.h"
#include <string.h>

mesaopt_status batch_evaluate(mesaopt_model *m, mesaopt_task *task, call *c, int32_t stream,
                              int64_t first, int64_t count, double *sums, double *loss)
{
    enum { AT_A_TIME = 4096 };
    const int64_t T = task->shape.length;
    const wanted by_t = {.by_t = sums, .weights = sums + T};
    mesaopt_status worth_knowing = MESAOPT_OK;
    memset(sums, 0, (size_t)(2 * T) * sizeof *sums);
    for (int64_t done = 0; done < count; done += AT_A_TIME) {
        const int64_t left = count - done;
        const batch b = {.B = left < AT_A_TIME ? left : AT_A_TIME,
                         .T = T,
                         .task = task,
                         .stream = stream,
                         .first = first + done};
        mesaopt_status status = task_prepare(task, c, stream, b.first, b.B, m->dtype);
        if (status == MESAOPT_OK) status = batch_pass(m, &b, &by_t, "evaluate");
        if (status < 0) return status;
        if (status > 0) worth_knowing = status;
    }
    double sum = 0, weight = 0;
    for (int64_t t = 0; t < T; t++) sum += sums[t], weight += sums[T + t];
    *loss = sum / weight;
    return worth_knowing;
}
