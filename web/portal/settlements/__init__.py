"""The pages of settlements."""

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)
