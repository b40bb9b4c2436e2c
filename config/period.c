#include "config/config.h"
#include <time.h>

bool config_in_period(uint32_t days, uint16_t from, uint16_t to, uint64_t wall_ms)
{
	time_t at = (time_t)(wall_ms / 1000);
	struct tm t;
	if (!localtime_r(&at, &t))
		return false;
	uint32_t day = (uint32_t)(t.tm_wday + 6) % 7, before = (day + 6) % 7, minute = (uint32_t)(t.tm_hour * 60 + t.tm_min);
	bool today = days >> day & 1, yesterday = days >> before & 1;
	if (from < to)
		return today && minute >= from && minute < to;
	return (today && minute >= from) || (yesterday && minute < to);
}
