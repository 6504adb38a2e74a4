/* mesaopt/mesaopt.hpp: the library from C++11: handles that free themselves, views of arrays and
 * vectors, failures as exceptions.
 *
 * All is called by its C name: a handle converts to the C pointer, a view to a pointer to
 * mesaopt_view. Those who like statuses use handle and view alone, and look at what the C functions
 * return; that is all there is when exceptions are off (-fno-exceptions). Those who like exceptions
 * put a context around their calls, ctx(status), and make handles by ctx.make: what is below 0 is
 * thrown as mesaopt::error with the library's text, what is not is returned.
 *
 * Use:
 *     mesaopt::context ctx({{"threads", "2"}});
 *     auto task = ctx.make<mesaopt_task>(mesaopt_task_create, ctx, nullptr);
 *     std::vector<double> x(100 * 51 * 10);
 *     ctx(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, mesaopt::view(x, {100, 51, 10})));
 */
#ifndef MESAOPT_HPP
#define MESAOPT_HPP

#include "mesaopt.h"
#include <algorithm>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
#define MESAOPT_EXCEPTIONS 1
#include <exception>
#include <stdexcept>
#endif

namespace mesaopt {

inline void free_handle(mesaopt_settings *h) { mesaopt_settings_free(h); }
inline void free_handle(mesaopt_ctx *h) { mesaopt_ctx_free(h); }
inline void free_handle(mesaopt_tensor *h) { mesaopt_tensor_free(h); }
inline void free_handle(mesaopt_task *h) { mesaopt_task_free(h); }
inline void free_handle(mesaopt_model *h) { mesaopt_model_free(h); }
inline void free_handle(mesaopt_trainer *h) { mesaopt_trainer_free(h); }
inline void free_handle(mesaopt_attn *h) { mesaopt_attn_free(h); }
inline void free_handle(mesaopt_lsq *h) { mesaopt_lsq_free(h); }
inline void free_handle(mesaopt_rls *h) { mesaopt_rls_free(h); }
inline void free_handle(mesaopt_baseline *h) { mesaopt_baseline_free(h); }
inline void free_handle(mesaopt_probe *h) { mesaopt_probe_free(h); }
inline void free_handle(mesaopt_prompt *h) { mesaopt_prompt_free(h); }
inline void free_handle(mesaopt_revalg *h) { mesaopt_revalg_free(h); }
inline void free_handle(mesaopt_linearise *h) { mesaopt_linearise_free(h); }
inline void free_handle(mesaopt_decoder *h) { mesaopt_decoder_free(h); }

/* The one owner of a handle, which frees it. It is taken where the C pointer is, and its out()
 * where a create function has `T **out`: what it held is freed first. */
template <class T> class handle {
    T *held;

public:
    explicit handle(T *owned = nullptr) : held(owned) {}
    handle(handle &&other) noexcept : held(other.release()) {}
    handle &operator=(handle &&other) noexcept
    {
        if (this != &other) reset(other.release());
        return *this;
    }
    ~handle() { reset(); }
    void reset(T *owned = nullptr)
    {
        free_handle(held);
        held = owned;
    }
    T *release()
    {
        T *const given = held;
        held = nullptr;
        return given;
    }
    T *get() const { return held; }
    operator T *() const { return held; }
    T **out()
    {
        reset();
        return &held;
    }
};

template <class T> struct dtype_of;
template <> struct dtype_of<float> { static const int32_t value = MESAOPT_F32; };
template <> struct dtype_of<double> { static const int32_t value = MESAOPT_F64; };
template <> struct dtype_of<int32_t> { static const int32_t value = MESAOPT_I32; };
template <> struct dtype_of<int64_t> { static const int32_t value = MESAOPT_I64; };
template <> struct dtype_of<bool> { static const int32_t value = MESAOPT_BOOL; };

/* Elements of the caller's: at a pointer, dense or with strides (in elements), or all of a vector,
 * an array or whatever has data() and size(). What is const, or a temporary (which lives as long as
 * the call that it is given to), is an input only. A shape of more axes
 * than a view has, or of other elements than a vector has, is refused by every call that is given
 * it. */
struct view : mesaopt_view {
    typedef std::initializer_list<int64_t> list;

    view() : mesaopt_view() {}
    template <class T> view(T *elements, list extents, list strides = {}) : mesaopt_view()
    {
        typedef typename std::remove_const<T>::type bare;
        int64_t dense = 1;
        data = const_cast<bare *>(elements);
        dtype = dtype_of<bare>::value;
        flags = std::is_const<T>::value ? MESAOPT_VIEW_READONLY : 0;
        ndim = extents.size() > MESAOPT_MAX_RANK ? -1 : static_cast<int32_t>(extents.size());
        for (int32_t i = ndim - 1; i >= 0; i--) {
            shape[i] = extents.begin()[i];
            stride[i] = dense;
            if (__builtin_mul_overflow(dense, shape[i] > 0 ? shape[i] : 1, &dense)) ndim = -1;
        }
        if (strides.size() && strides.size() != extents.size()) ndim = -1;
        if (ndim >= 0) std::copy(strides.begin(), strides.end(), stride);
    }
    template <class V> view(V &all, list extents) : view(all.data(), extents) { fits(all.size()); }
    template <class V> view(const V &all, list extents) : view(all.data(), extents)
    {
        fits(all.size());
    }
    operator const mesaopt_view *() const { return this; }
    operator mesaopt_view *() { return this; }

private:
    void fits(uint64_t size)
    {
        uint64_t n = 1;
        for (int32_t i = 0; i < ndim; i++) n *= static_cast<uint64_t>(shape[i]);
        if (n != size) ndim = -1;
    }
};

/* The text that a function writes into (buf, cap): text(mesaopt_model_text, model.get()). */
template <class F, class... A> std::string text(F f, A... of)
{
    const int64_t bytes = f(of..., nullptr, 0);
    std::string s(bytes > 0 ? static_cast<std::size_t>(bytes) : 0, '\0');
    if (bytes <= 0) return s;
    f(of..., &s[0], bytes);
    s.resize(s.size() - 1);
    return s;
}

#ifdef MESAOPT_EXCEPTIONS
class error : public std::runtime_error {
public:
    const mesaopt_status status;
    error(mesaopt_status code, const std::string &what)
        : std::runtime_error(mesaopt_status_name(code) + (": " + what)), status(code) {}
};

typedef std::initializer_list<std::pair<const char *, std::string>> values;

/* Settings of a scope, such as settings(MESAOPT_SCOPE_TRAINER, {{"lr", "3e-4"}}). */
class settings : public handle<mesaopt_settings> {
public:
    explicit settings(int32_t scope, values given = {})
    {
        const mesaopt_status status =
            mesaopt_settings_create(scope, nullptr, nullptr, out());
        if (status < 0) throw error(status, "settings of scope " + std::to_string(scope));
        for (const auto &v : given) set(v.first, v.second);
    }
    settings &set(const char *name, const std::string &value)
    {
        return check(mesaopt_settings_set_text(get(), name, value.c_str()));
    }
    settings &check(mesaopt_status status)
    {
        if (status < 0) throw error(status, text(mesaopt_settings_error, get()));
        return *this;
    }
};

class context : public handle<mesaopt_ctx> {
public:
    explicit context(values given = {}) : context(settings(MESAOPT_SCOPE_CTX, given)) {}
    explicit context(settings &&s) { s.check(mesaopt_ctx_create(s, out())); }

    /* Throws a status below 0, with the text of the last failure: a call that was given no handle,
     * but nullptr, has no context to leave a text in. */
    mesaopt_status operator()(mesaopt_status status) const
    {
        if (status < 0) throw error(status, text(mesaopt_ctx_error, get()));
        return status;
    }
    /* Calls a function whose last argument is a handle's `T **out`. */
    template <class T, class F, class... A> handle<T> make(F create, A &&...arguments) const
    {
        T *made = nullptr;
        (*this)(create(std::forward<A>(arguments)..., &made));
        return handle<T>(made);
    }
    /* A function whose last arguments are a mesaopt_step_fn and its user (mesaopt_trainer_run,
     * mesaopt_prompt_train, ..) on what stands before them: after(step) is any function object;
     * true, or not 0, stops. What it throws comes out of here, once the library has returned. */
    template <class R, class F, class... A>
    mesaopt_status run(R run, F after, A &&...arguments) const
    {
        guarded<F> g = {after, nullptr};
        const mesaopt_status status = run(std::forward<A>(arguments)..., guarded<F>::step, &g);
        if (g.thrown) std::rethrow_exception(g.thrown);
        return (*this)(status);
    }

private:
    template <class F> struct guarded {
        F &f;
        std::exception_ptr thrown;
        static int32_t step(const mesaopt_step *s, void *user) noexcept
        {
            guarded &g = *static_cast<guarded *>(user);
            try { return g.f(*s) ? 1 : 0; } catch (...) { g.thrown = std::current_exception(); }
            return 1;
        }
    };
};
#endif

}
#endif
