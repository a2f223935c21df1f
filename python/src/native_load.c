/* SPDX-License-Identifier: MIT */
/* The tasks of a library. It needs no library of ours: what it calls of the core is the copy in
 * this extension, which is made global for that when the first library is loaded. */
#include "native.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

PyMODINIT_FUNC PyInit__thrum(void);

/* Makes the names of the core that this extension holds visible to libraries. */
static int make_global(void) {
    Dl_info here;
    if (dladdr((void *)(uintptr_t)PyInit__thrum, &here) != 0 &&
        dlopen(here.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL) != NULL)
        return 0;
    PyErr_SetString(PyExc_ImportError, "the extension cannot be found among what is loaded");
    return -1;
}

static bool is_in(const void *address, const char *base) {
    Dl_info place;
    return dladdr(address, &place) != 0 && place.dli_fbase == base;
}

static PyObject *task_object(PyTypeObject *class, const thrum_task_type *type) {
    native_task *self = (native_task *)class->tp_alloc(class, 0);
    if (self != NULL)
        self->type = type;
    return (PyObject *)self;
}

/* A list of those of types[0..n) that stand in the library at `base`. */
static PyObject *tasks_at(const char *base, const thrum_task_type **types, int n,
                          PyTypeObject *class) {
    PyObject *list = PyList_New(0);
    for (int i = 0; list != NULL && i < n; i++) {
        if (!is_in(types[i], base))
            continue;
        PyObject *task = task_object(class, types[i]);
        if (task == NULL || PyList_Append(list, task) < 0)
            Py_CLEAR(list);
        Py_XDECREF(task);
    }
    return list;
}

static PyObject *tasks_of(const char *base, PyTypeObject *class) {
    int n = thrum_task_enumerate(NULL, 0) + 64; /* others may load libraries meanwhile */
    const thrum_task_type **types = PyMem_Calloc((size_t)n, sizeof *types);
    if (types == NULL)
        return PyErr_NoMemory();
    int found = thrum_task_enumerate(types, n);
    PyObject *list = tasks_at(base, types, found < n ? found : n, class);
    PyMem_Free(types);
    return list;
}

/* Whether its tasks have gone elsewhere: another copy of the core stands before ours. */
static PyObject *no_tasks(const char *path, void *handle) {
    Dl_info other;
    void *ours = (void *)(uintptr_t)thrum__tasks_register;
    void *used = dlsym(handle, "thrum__tasks_register");
    if (used == NULL || used == ours) { /* RTLD_DEFAULT would begin with this extension */
        void *program = dlopen(NULL, RTLD_LAZY);
        used = program ? dlsym(program, "thrum__tasks_register") : NULL;
    }
    if (used == NULL || used == ours || dladdr(used, &other) == 0)
        return PyErr_Format(PyExc_ImportError, "%s has no tasks (see THRUM_TASK in thrum/task.h)",
                            path);
    return PyErr_Format(
        PyExc_ImportError,
        "the tasks of %s belong to another copy of the core, in %s: link it with neither "
        "libthrum.a nor libthrum, Python's thrum has one",
        path, other.dli_fname);
}

static PyObject *load(PyObject *module, PyObject *path_object) {
    toolbox *state = PyModule_GetState(module);
    PyObject *bytes, *list = NULL;
    struct link_map *map;
    void *handle;
    const char *error;
    if (!PyUnicode_FSConverter(path_object, &bytes))
        return NULL;
    const char *path = PyBytes_AS_STRING(bytes);
    if (make_global() < 0)
        goto out;
    Py_BEGIN_ALLOW_THREADS
    handle =
        dlopen(path, RTLD_NOW | RTLD_LOCAL); /* for ever: its code may be running */
    error = handle ? NULL : dlerror();
    Py_END_ALLOW_THREADS
    if (handle == NULL || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) {
        PyErr_SetString(PyExc_OSError, error ? error : "dlinfo() fails");
        goto out;
    }
    list = tasks_of((const char *)map->l_addr, state->native_task);
    if (list != NULL && PyList_GET_SIZE(list) == 0) {
        Py_CLEAR(list);
        no_tasks(path, handle);
    }
out:
    Py_DECREF(bytes);
    return list;
}

static PyObject *name_of(PyObject *self, void *unused) {
    (void)unused;
    return PyUnicode_FromString(((native_task *)self)->type->name);
}

static PyObject *result_of(PyObject *self, void *unused) {
    (void)unused;
    const thrum_task_type *type = ((native_task *)self)->type;
    return Py_BuildValue("(ss)", type->result_type, type->result_format);
}

/* A tuple of (name, type, format). */
static PyObject *parameters_of(PyObject *self, void *unused) {
    (void)unused;
    const thrum_task_type *type = ((native_task *)self)->type;
    PyObject *all = PyTuple_New((Py_ssize_t)type->n_parameters);
    for (size_t i = 0; all != NULL && i < type->n_parameters; i++) {
        const thrum_task_parameter *p = &type->parameters[i];
        PyObject *one = Py_BuildValue("(sss)", p->name, p->type, p->format);
        if (one == NULL)
            Py_CLEAR(all);
        else
            PyTuple_SET_ITEM(all, (Py_ssize_t)i, one);
    }
    return all;
}

static void task_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyGetSetDef task_properties[] = {
    {"name", name_of, NULL, NULL, NULL},
    {"result", result_of, NULL, NULL, NULL},
    {"parameters", parameters_of, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot task_slots[] = {
    {Py_tp_dealloc, task_dealloc},
    {Py_tp_getset, task_properties},
    {0, NULL},
};

static PyType_Spec task_spec = {
    .name = "thrum._thrum.NativeTask",
    .basicsize = sizeof(native_task),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = task_slots,
};

static PyMethodDef functions[] = {
    {"native_load", METHOD(load, METH_O, "Load a library and return its tasks.")},
    {NULL, NULL, 0, NULL},
};

int add_native_load(PyObject *module, toolbox *state) {
    state->native_task = add_type(module, &task_spec, NULL, true);
    if (state->native_task == NULL || add_native_result(module) < 0)
        return -1;
    return PyModule_AddFunctions(module, functions);
}
