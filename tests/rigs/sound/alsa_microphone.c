/* A plug-in of ALSA that is a microphone of one format, as cheap hardware is: it converts nothing.
 * Its settings: format, channels, signs ("+-" is antiphase, "0+" sound on the second channel only).
 * It hears noise at 48 kHz. */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { RATE = 48000, TICK = 10000000 };

struct microphone {
    snd_pcm_ioplug_t plug;
    snd_pcm_format_t format;
    struct timespec began;
    char signs[64];
    uint32_t noise;
};

static int start(snd_pcm_ioplug_t *plug)
{
    struct microphone *mic = plug->private_data;
    struct itimerspec ticks = {{0, TICK}, {0, TICK}};
    clock_gettime(CLOCK_MONOTONIC, &mic->began);
    return timerfd_settime(plug->poll_fd, 0, &ticks, NULL);
}

static int stop(snd_pcm_ioplug_t *plug)
{
    struct itimerspec never = {{0, 0}, {0, 0}};
    return timerfd_settime(plug->poll_fd, 0, &never, NULL);
}

static snd_pcm_sframes_t pointer(snd_pcm_ioplug_t *plug)
{
    struct microphone *mic = plug->private_data;
    struct timespec now;
    if (plug->state != SND_PCM_STATE_RUNNING)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = now.tv_sec - mic->began.tv_sec + (now.tv_nsec - mic->began.tv_nsec) * 1e-9;
    return (snd_pcm_uframes_t)(seconds * RATE) % plug->buffer_size;
}

static void put(char *place, snd_pcm_format_t format, int16_t value)
{
    int32_t wide = (int32_t)value * 65536;
    if (format == SND_PCM_FORMAT_S16_LE)
        memcpy(place, &value, 2);
    else if (format == SND_PCM_FORMAT_S32_LE)
        memcpy(place, &wide, 4);
    else if (format == SND_PCM_FORMAT_S24_3LE)
        memcpy(place, (char *)&wide + 1, 3);
    else { /* S24_LE: 24 bits in four bytes */
        wide >>= 8;
        memcpy(place, &wide, 4);
    }
}

static snd_pcm_sframes_t transfer(snd_pcm_ioplug_t *plug, const snd_pcm_channel_area_t *areas,
                                  snd_pcm_uframes_t offset, snd_pcm_uframes_t size)
{
    struct microphone *mic = plug->private_data;
    for (snd_pcm_uframes_t frame = 0; frame < size; frame++) {
        mic->noise = mic->noise * 1664525 + 1013904223;
        int16_t value = (int16_t)(mic->noise >> 16) / 4;
        for (unsigned channel = 0; channel < plug->channels; channel++) {
            const snd_pcm_channel_area_t *area = &areas[channel];
            char *place = (char *)area->addr + (area->first + area->step * (offset + frame)) / 8;
            char sign = mic->signs[channel];
            put(place, mic->format, sign == '+' ? value : sign == '-' ? -value : 0);
        }
    }
    return size;
}

static int revents(snd_pcm_ioplug_t *plug, struct pollfd *fds, unsigned count, unsigned short *out)
{
    uint64_t ticks;
    (void)count;
    if ((fds[0].revents & POLLIN) && read(plug->poll_fd, &ticks, sizeof ticks) < 0)
        return -errno;
    snd_pcm_avail(plug->pcm);
    *out = snd_pcm_avail_update(plug->pcm) >= (snd_pcm_sframes_t)plug->period_size ? POLLIN : 0;
    return 0;
}

static int close_it(snd_pcm_ioplug_t *plug)
{
    close(plug->poll_fd);
    free(plug->private_data);
    return 0;
}

static const snd_pcm_ioplug_callback_t CALLBACKS = {
    .start = start, .stop = stop, .pointer = pointer, .transfer = transfer,
    .poll_revents = revents, .close = close_it,
};

SND_PCM_PLUGIN_DEFINE_FUNC(testmic)
{
    struct microphone *mic = calloc(1, sizeof *mic);
    snd_config_iterator_t at, next;
    const char *id, *format = "S16_LE", *signs = "+";
    (void)root;
    snd_config_for_each(at, next, conf) {
        snd_config_t *entry = snd_config_iterator_entry(at);
        if (snd_config_get_id(entry, &id) < 0)
            continue;
        if (!strcmp(id, "format"))
            snd_config_get_string(entry, &format);
        if (!strcmp(id, "signs"))
            snd_config_get_string(entry, &signs);
    }
    if (stream != SND_PCM_STREAM_CAPTURE) {
        free(mic);
        return -EINVAL;
    }
    strncpy(mic->signs, signs, sizeof mic->signs - 1);
    mic->format = snd_pcm_format_value(format);
    mic->plug.version = SND_PCM_IOPLUG_VERSION;
    mic->plug.name = "microphone of the tests";
    mic->plug.callback = &CALLBACKS;
    mic->plug.private_data = mic;
    mic->plug.poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    mic->plug.poll_events = POLLIN;
    int error = snd_pcm_ioplug_create(&mic->plug, name, stream, mode);
    if (error < 0)
        return error;
    unsigned access[] = {SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_MMAP_INTERLEAVED};
    unsigned formats[] = {mic->format};
    unsigned channels = strlen(mic->signs);
    snd_pcm_ioplug_set_param_list(&mic->plug, SND_PCM_IOPLUG_HW_ACCESS, 2, access);
    snd_pcm_ioplug_set_param_list(&mic->plug, SND_PCM_IOPLUG_HW_FORMAT, 1, formats);
    snd_pcm_ioplug_set_param_minmax(&mic->plug, SND_PCM_IOPLUG_HW_CHANNELS, channels, channels);
    snd_pcm_ioplug_set_param_minmax(&mic->plug, SND_PCM_IOPLUG_HW_RATE, RATE, RATE);
    snd_pcm_ioplug_set_param_minmax(&mic->plug, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 1024, 1 << 20);
    snd_pcm_ioplug_set_param_minmax(&mic->plug, SND_PCM_IOPLUG_HW_PERIODS, 2, 64);
    *pcmp = mic->plug.pcm;
    return 0;
}
SND_PCM_PLUGIN_SYMBOL(testmic);
